# One image for all roles of Darkroom: the arguments choose. See docker-compose.yml and k8s/ for whole installations.
#
#   docker build -t darkroom .
#   docker run --rm darkroom --help

ARG RUST_VERSION=1.95
ARG DEBIAN=bookworm

FROM rust:${RUST_VERSION}-slim-${DEBIAN} AS build
WORKDIR /build

# The dependencies on their own, below empty sources: a layer that holds until Cargo.toml or Cargo.lock changes.
COPY Cargo.toml Cargo.lock ./
COPY crates crates
# Cargo wants a file for every target that Cargo.toml names; the last of them stays, since tests are not copied.
RUN mkdir -p src benches/peers tests/faults \
    && touch src/lib.rs \
    && echo 'fn main() {}' > src/main.rs \
    && echo 'fn main() {}' | tee benches/pipeline.rs benches/store.rs benches/crowd.rs benches/peers/darkroom.rs \
        > tests/faults/main.rs \
    && cargo build --release --locked

COPY build.rs ./
COPY migrations migrations
COPY openapi openapi
COPY benches benches
COPY src src
# Cargo goes by time stamps, and those of the checkout may be older than the empty sources.
RUN touch src/lib.rs src/main.rs \
    && cargo build --release --locked

FROM debian:${DEBIAN}-slim
LABEL org.opencontainers.image.title="darkroom" \
    org.opencontainers.image.licenses="MIT OR Apache-2.0"

# The system's certificate authorities, for captions over HTTPS and for amqps://.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --gid 10001 darkroom \
    && useradd --uid 10001 --gid darkroom --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin darkroom \
    && install --directory --owner=darkroom --group=darkroom --mode=0750 /data /data/files

COPY --from=build /build/target/release/darkroom /usr/local/bin/darkroom

# http.listen stays on loopback here: another address is refused until auth.mode says who may call, and that is for whoever
# runs the image to decide. Set DARKROOM_HTTP__LISTEN and DARKROOM_AUTH__MODE together.
ENV DARKROOM_FILES__DIR=/data/files
WORKDIR /data
VOLUME /data
EXPOSE 8080
USER 10001:10001

# Asks for /readyz of http.listen. A worker's container needs ["darkroom", "--worker", "--healthcheck"] and worker.listen.
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 CMD ["darkroom", "--healthcheck"]
ENTRYPOINT ["darkroom"]
