/* What the buttons below a figure do. No tag may be written in here, or Streamlit leaves the whole script out. Plotly draws in layers, several svg elements over each other: they are put into
   one, with the colours that the page gives their letters, on the ground of the page. */
(() => {
    if (window.figuresAreSavable) return;
    window.figuresAreSavable = true;

    const SVG = "http://www.w3.org/2000/svg";

    const ground = () => {
        const app = document.querySelector("[data-testid=stApp]");
        return getComputedStyle(app).backgroundColor;
    };

    const whole = (plot) => {
        const layers = [...plot.querySelectorAll("svg.main-svg")];
        const {width, height} = layers[0].getBoundingClientRect();
        const picture = document.createElementNS(SVG, "svg");
        picture.setAttribute("xmlns", SVG);
        picture.setAttribute("xmlns:xlink", "http://www.w3.org/1999/xlink");
        picture.setAttribute("width", width);
        picture.setAttribute("height", height);
        picture.setAttribute("viewBox", `0 0 ${width} ${height}`);
        const paper = document.createElementNS(SVG, "rect");
        paper.setAttribute("width", width);
        paper.setAttribute("height", height);
        paper.setAttribute("fill", ground());
        picture.append(paper);
        for (const layer of layers) {
            const copy = layer.cloneNode(true);
            const letters = copy.querySelectorAll("text, tspan");
            layer.querySelectorAll("text, tspan").forEach((text, place) => {
                const style = getComputedStyle(text);
                letters[place].style.fill = style.fill;
                letters[place].style.fontFamily = "Source Sans, Helvetica, Arial, sans-serif";
                letters[place].style.fontSize = style.fontSize;
                if (!text.childElementCount) {  // as wide in whatever font another program has
                    letters[place].setAttribute("textLength", text.getComputedTextLength());
                    letters[place].setAttribute("lengthAdjust", "spacingAndGlyphs");
                }
            });
            copy.querySelectorAll(".draglayer, .hoverlayer, .zoomlayer, .modebar").forEach((each) => each.remove());
            picture.append(...copy.childNodes);
        }
        return picture;
    };

    const save = (picture, name) => {
        const text = new XMLSerializer().serializeToString(picture);
        const link = document.createElement("a");
        link.href = URL.createObjectURL(new Blob([text], {type: "image/svg+xml"}));
        link.download = name;
        link.click();
        setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
    };

    const print = (picture, name) => {
        document.querySelector("#printed-figure")?.remove();
        const frame = document.createElement("iframe");
        frame.id = "printed-figure";
        frame.title = name;
        frame.style.cssText = "position: fixed; left: -10000px; border: 0;";
        document.body.append(frame);
        const page = frame.contentDocument;
        const size = `${picture.getAttribute("width")}px ${picture.getAttribute("height")}px`;
        const sheet = page.createElement("style");
        sheet.textContent = `@page {size: ${size}; margin: 0} body {margin: 0; print-color-adjust: exact}`;
        page.title = name;
        page.head.append(sheet);
        page.body.append(picture);
        frame.contentWindow.print();
    };

    document.addEventListener("click", (event) => {
        const button = event.target.closest?.("button[data-figure]");
        if (!button) return;
        const name = button.dataset.figure;
        const plot = document.querySelector(`.st-key-${CSS.escape(name)} .js-plotly-plot`);
        if (!plot) return;
        const picture = whole(plot);
        if (button.dataset.kind === "svg") save(picture, `${name}.svg`);
        else print(picture, name);
    });
})();
