/** Which pictures are shown: by status, and by a text in their name. */

import { byId } from "./dom.js";

/** After a key was pressed in the search field. */
const TYPING = 250;

/** @param {import("./library.js").Library} library @returns {{clear: () => void}} */
export function acceptFilters(library) {
  const buttons = [...document.querySelectorAll("[data-filter]")];
  const search = byId("search");
  let typing = null;

  const apply = (filter) => {
    if (filter.status === library.filter.status && filter.q === library.filter.q) return;
    for (const button of buttons)
      button.setAttribute("aria-pressed", String(button.dataset.filter === filter.status));
    byId("retry-all").hidden = filter.status !== "failed";
    library.show(filter);
    window.scrollTo({ top: 0, behavior: "instant" });
  };

  for (const button of buttons) {
    button.addEventListener("click", () => apply({ ...library.filter, status: button.dataset.filter }));
  }
  search.addEventListener("input", () => {
    clearTimeout(typing);
    typing = setTimeout(() => apply({ ...library.filter, q: search.value.trim() }), TYPING);
  });
  byId("search-form").addEventListener("submit", (event) => {
    event.preventDefault();
    clearTimeout(typing);
    apply({ ...library.filter, q: search.value.trim() });
  });
  document.addEventListener("keydown", (event) => {
    const elsewhere = event.target.closest("input, textarea, dialog");
    if (event.key !== "/" || elsewhere || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    search.focus();
  });

  return {
    clear() {
      search.value = "";
      apply({ status: "", q: "" });
    },
  };
}
