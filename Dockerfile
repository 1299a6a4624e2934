# syntax=docker/dockerfile:1
# One image for all roles of Darkroom: the arguments choose. See docker-compose.yml and k8s/ for whole installations.
#
#   docker build --tag darkroom .
#   docker run --rm darkroom --help
#
# For two architectures, with an SBOM of the crates as well as of the packages:
#
#   docker buildx build --platform linux/amd64,linux/arm64 --sbom=true --build-arg VERSION=0.1.0 \
#     --build-arg REVISION="$(git rev-parse HEAD)" --tag registry.example.com/darkroom:0.1.0 --push .

# Debian of both halves: the program is linked against the C library of the first and runs on that of the second.
ARG DEBIAN=bookworm
ARG DEBIAN_NUMBER=12
ARG RUST_VERSION=1.95

FROM rust:${RUST_VERSION}-slim-${DEBIAN} AS chef
WORKDIR /build
# The workspace has crates of its own, each with targets that Cargo looks for. cargo-chef knows them all from the
# manifests; empty stand-ins by hand would have to be kept in step with every bench and crate.
RUN --mount=type=cache,target=/usr/local/cargo/registry,sharing=locked \
    cargo install cargo-chef --version 0.1.78 --locked

# What is to be built, without our code: it changes only with a Cargo.toml or Cargo.lock.
FROM chef AS plan
COPY . .
RUN cargo chef prepare --recipe-path recipe.json

FROM chef AS build
# `--sbom=true` looks into this stage too, where Cargo.lock is.
ARG BUILDKIT_SBOM_SCAN_STAGE=true
# Such as local-captions, for workers that need no captioner beside them.
ARG FEATURES=
# The dependencies on their own: a layer that holds until the recipe changes.
COPY --from=plan /build/recipe.json recipe.json
RUN --mount=type=cache,target=/usr/local/cargo/registry,sharing=locked \
    cargo chef cook --release --locked --package darkroom --features "${FEATURES}" --recipe-path recipe.json
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry,sharing=locked \
    cargo build --release --locked --package darkroom --features "${FEATURES}" --bin darkroom \
    # A new volume takes over the owner of the folder that it covers, and the image below has no shell to make one.
    && install --directory --owner=10001 --group=10001 --mode=0750 /volume/data /volume/data/files

# The C library, the certificate authorities for https:// and amqps://, and nothing else: neither a shell nor a package
# manager for whoever breaks in through a picture. debian-slim would add both and 70 MB.
FROM gcr.io/distroless/cc-debian${DEBIAN_NUMBER}:nonroot
ARG VERSION=0.0.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="darkroom" \
    org.opencontainers.image.description="An image-processing pipeline with a REST API" \
    org.opencontainers.image.licenses="MIT OR Apache-2.0" \
    org.opencontainers.image.version="${VERSION}" \
    org.opencontainers.image.revision="${REVISION}"

COPY --from=build /build/target/release/darkroom /usr/local/bin/darkroom
COPY --from=build --chown=10001:10001 /volume /

# http.listen stays on loopback here: another address is refused until auth.mode says who may call, and that is for whoever
# runs the image to decide. Set DARKROOM_HTTP__LISTEN and DARKROOM_AUTH__MODE together.
ENV DARKROOM_FILES__DIR=/data/files
WORKDIR /data
VOLUME /data
EXPOSE 8080
# By number, so that Kubernetes can see that it is not root.
USER 10001:10001

# Asks for /readyz of http.listen. A worker's container needs ["darkroom", "--worker", "--healthcheck"] and worker.listen.
HEALTHCHECK --interval=10s --timeout=6s --start-period=60s --retries=3 CMD ["darkroom", "--healthcheck"]
ENTRYPOINT ["darkroom"]
