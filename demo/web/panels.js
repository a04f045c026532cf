// Gradio's own panel about the API: it is opened by its address too, and does not offer to record calls of this page, since
// what the page asks is not for programs.

function trimPanels() {
  const footer = document.querySelector("gradio-app footer:not(.about)");
  if (!footer) return; // the page as files alone has none
  const trim = () => {
    for (const dot of document.querySelectorAll(".api-docs .loading-dot")) {
      const button = dot.closest("button");
      for (const text of button.parentElement.childNodes) {
        if (text.nodeType !== Node.TEXT_NODE) continue;
        text.data = text.data.replace(/\s+Or\s+use\s+the\s*$/, "").replace(/^\s*to\s+automatically\s+generate\s+your\s+API\s+requests\./, "");
      }
      button.remove();
    }
  };
  new MutationObserver((changes) => {
    for (const panel of changes.flatMap(({ addedNodes }) => [...addedNodes])) {
      if (!panel.classList?.contains("api-docs")) continue;
      trim();
      new MutationObserver(trim).observe(panel, { childList: true, subtree: true });
    }
  }).observe(footer.parentElement, { childList: true });
  if (new URLSearchParams(location.search).get("view") !== "api") return;
  const link = footer.querySelector(".show-api"); // Gradio takes the panel for open, and has not loaded it
  link.click();
  link.click();
}
