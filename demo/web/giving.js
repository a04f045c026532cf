// Every way in which a visitor gives files: chosen, dropped anywhere on the page, pasted. give(files, chosenIn) gets them
// together, on every tab, so that each takes what is its own; chosenIn is the root of the tab in which they were chosen.

const isVideo = ({ name, type }) => type.startsWith("video/") || /\.(3gp|avi|m4v|mkv|mov|mp4|mpe?g|mts|ts|webm|wmv)$/i.test(name ?? "");

const isPicture = ({ type }) => type.startsWith("image/");

function openTab(title) {
  [...document.querySelectorAll("#tabs [role=tab]")].find((tab) => tab.textContent.trim() === title).click();
}

function takeFiles(root, give) {
  const file = root.querySelector(".file");
  file.addEventListener("change", () => {
    if (file.files.length) document.dispatchEvent(new CustomEvent("chosen", { detail: { files: [...file.files], by: root } }));
    file.value = ""; // so that the same file can be chosen again
  });
  document.addEventListener("chosen", ({ detail: { files, by } }) => give(files, by));

  const carriesFile = (transfer) => [...transfer.types].includes("Files");
  let depth = 0; // dragenter and dragleave also fire for every child that is crossed
  const over = (change) => root.classList.toggle("over", (depth = change ? depth + change : 0) > 0);

  document.addEventListener("dragenter", (event) => carriesFile(event.dataTransfer) && over(1));
  document.addEventListener("dragleave", (event) => carriesFile(event.dataTransfer) && over(-1));
  document.addEventListener("dragover", (event) => {
    if (carriesFile(event.dataTransfer)) event.preventDefault();
  });
  document.addEventListener("drop", (event) => {
    if (!carriesFile(event.dataTransfer)) return;
    event.preventDefault(); // the browser would leave the page and open the file
    over(0);
    if (event.dataTransfer.files.length) give([...event.dataTransfer.files]);
  });
  document.addEventListener("paste", (event) => {
    if (event.clipboardData.files.length) give([...event.clipboardData.files]);
  });
}
