/** What stands in the place of the cards: they are being loaded, there are none, or they could not be had. */

import { byId } from "./dom.js";

/** @param {import("./library.js").Library} library @param {() => void} clearFilter */
export function showStates(library, clearFilter) {
  byId("again").addEventListener("click", () => library.show(library.filter));
  byId("clear-filter").addEventListener("click", clearFilter);
  byId("more").addEventListener("click", () => library.more());
  // The button is there for those who come to it by key, and if the next part did not come by itself.
  new IntersectionObserver(([entry]) => entry.isIntersecting && library.more(), { rootMargin: "1200px" }).observe(
    byId("more"),
  );

  const show = () => {
    const none = library.pictures.length === 0;
    const { state, failure, isFiltered, hasMore } = library;
    byId("loading").hidden = !(state === "loading" && none);
    byId("empty").hidden = !(state === "ready" && none && !isFiltered);
    byId("nothing-found").hidden = !(state === "ready" && none && isFiltered);
    byId("failure").hidden = state !== "failed";
    byId("failure-sentence").textContent = failure?.message ?? "";
    byId("more").hidden = !hasMore;
    byId("pictures").hidden = none;
    byId("pictures").setAttribute("aria-busy", String(state === "loading"));
  };
  library.addEventListener("change", show);
  show();
}
