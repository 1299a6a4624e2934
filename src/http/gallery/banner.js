/** The quiet line that says that the server is gone, and when it is tried again. */

import { announce } from "./announce.js";
import { connection } from "./connection.js";
import { byId } from "./dom.js";

export function showConnection() {
  const banner = byId("banner");
  const next = byId("banner-next");
  let ticking = null;

  connection.addEventListener("down", () => {
    banner.hidden = false;
    announce("The server cannot be reached. It is tried again.");
  });
  connection.addEventListener("waiting", ({ detail: wait }) => {
    let left = Math.ceil(wait / 1000);
    const say = () => (next.textContent = `It is tried again in ${left} s.`);
    clearInterval(ticking);
    say();
    ticking = setInterval(() => {
      left = Math.max(left - 1, 0);
      say();
    }, 1000);
  });
  connection.addEventListener("trying", () => {
    clearInterval(ticking);
    next.textContent = "It is tried now.";
  });
  connection.addEventListener("up", () => {
    clearInterval(ticking);
    banner.hidden = true;
    announce("The server is back.");
  });
  byId("banner-now").addEventListener("click", () => connection.tryNow());
}
