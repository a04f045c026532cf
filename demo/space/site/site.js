// What Gradio does for the served page: tabs, the theme, and each part with its element and what it is told. There is no
// server here that could be asked, so the parts read on this device or not at all.

import { live, picture } from "./parts.js";

const told = JSON.parse(document.querySelector("#told").textContent);
const tabs = [...document.querySelectorAll("#tabs [role=tab]")];

for (const tab of tabs) {
  tab.addEventListener("click", () => {
    for (const other of tabs) {
      other.setAttribute("aria-selected", other === tab);
      other.classList.toggle("selected", other === tab);
      other.tabIndex = other === tab ? 0 : -1;
      document.getElementById(other.getAttribute("aria-controls")).hidden = other !== tab;
    }
  });
}

const asked = new URLSearchParams(location.search).get("__theme");
const dark = matchMedia("(prefers-color-scheme: dark)");
const follow = () => document.body.classList.toggle("dark", asked ? asked === "dark" : dark.matches);
dark.addEventListener("change", follow);
follow();

const nobody = {}; // functions of a server
live(document.querySelector("#live"), told.live, nobody);
picture(document.querySelector("#photo"), told.picture, nobody);

// From the second visit on, without a network too.
navigator.serviceWorker?.register("sw.js");
