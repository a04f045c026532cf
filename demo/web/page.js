// The page as a whole: tabs that keep their place over a reload and obey the arrow keys, and the moment it stands. Before this
// comes panels.js.

function openPage() {
  const tabs = () => [...document.querySelectorAll("#tabs [role=tab]")];
  const slug = (tab) => tab.textContent.trim().toLowerCase().replaceAll(/\s+/g, "-");

  document.addEventListener("click", (event) => {
    const tab = event.target.closest?.("#tabs [role=tab]");
    if (tab) history.replaceState(history.state, "", `#${slug(tab)}`);
  });
  document.addEventListener("keydown", (event) => {
    const tab = event.target.closest?.("#tabs [role=tab]");
    if (!tab) return;
    const all = tabs();
    const here = all.indexOf(tab);
    const next = { ArrowRight: here + 1, ArrowLeft: here - 1, Home: 0, End: -1 }[event.key];
    if (next === undefined) return;
    event.preventDefault();
    const chosen = all.at(next % all.length);
    chosen.click();
    chosen.focus();
  });

  // Shown when its parts have been there for a moment: until then they come one after the other, and jump.
  const wanted = tabs().find((tab) => `#${slug(tab)}` === location.hash);
  if (wanted?.getAttribute("aria-selected") === "false") wanted.click();
  let settled = setTimeout(stand, 120);
  const building = new MutationObserver(() => {
    clearTimeout(settled);
    settled = setTimeout(stand, 120);
  });
  building.observe(document.querySelector("gradio-app"), { childList: true, subtree: true });
  function stand() {
    building.disconnect();
    document.documentElement.classList.add("stands");
    document.querySelector(".opening")?.remove();
    trimPanels();
  }
}

openPage();
