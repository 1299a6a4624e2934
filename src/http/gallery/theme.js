// Light or dark: as the system says, until the person says otherwise. Loaded before the page is painted, so not as a
// module: a page that flashes white in a dark room would be a poor joke.
(() => {
  const KEY = "darkroom.theme";
  const root = document.documentElement;
  const dark = window.matchMedia("(prefers-color-scheme: dark)");

  function chosen() {
    try {
      return localStorage.getItem(KEY);
    } catch {
      return null;
    }
  }

  function show(theme) {
    if (theme) root.dataset.theme = theme;
    else delete root.dataset.theme;
  }

  const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : dark.matches);

  show(chosen());
  document.addEventListener("DOMContentLoaded", () => {
    const toggle = document.getElementById("theme");
    const say = () => toggle.setAttribute("aria-pressed", String(isDark()));
    toggle.addEventListener("click", () => {
      const theme = isDark() ? "light" : "dark";
      show(theme);
      try {
        localStorage.setItem(KEY, theme);
      } catch {
        // Not kept, then.
      }
      say();
    });
    dark.addEventListener("change", say);
    say();
  });
})();
