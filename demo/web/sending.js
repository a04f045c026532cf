// Sends a video to the server, and asks how far it is read, until it is done or called off.
//
// sending(server, hear) gives {start(file), draw(), end(), copy()}: draw() has the annotated copy made, copy() is its
// address. hear(event) is told: {sent, of} in bytes while the video is sent; {answer} of the server, with the new moments
// as objects; {trouble}: the server does not answer, it is asked again; {refused: one sentence}; {lost}: it could not be
// sent; {gone}: the server has let it go. Before this comes ask.js.

const ASK_EVERY = 400; // ms

function sending(server, hear) {
  let visit = 0; // counts what was sent; what comes of an older one is not told
  let request; // of the file that is sent
  let film; // what the server calls the video
  let drawing = false; // whether the annotated copy is wanted
  let goOn; // asks again, where nothing was left to be asked

  const address = (path) => new URL(`gradio_api/${path}`, document.baseURI).href;
  const wait = (ms) => new Promise((wake) => setTimeout(wake, ms));

  // It goes from the server, also where this page is left.
  function end() {
    visit += 1;
    request?.abort();
    if (film) navigator.sendBeacon(address(`film/${film}`));
    [request, film, drawing, goOn] = [undefined, undefined, false, undefined];
  }

  function upload(file) {
    return new Promise((settled) => {
      const form = new FormData();
      form.append("files", file, "video");
      request = new XMLHttpRequest();
      request.open("POST", address("upload"));
      request.responseType = "json";
      request.upload.addEventListener("progress", ({ loaded }) => hear({ sent: Math.min(loaded, file.size), of: file.size }));
      request.addEventListener("load", () => settled({ status: request.status, body: request.response }));
      for (const failure of ["error", "abort", "timeout"]) request.addEventListener(failure, () => settled({}));
      request.send(form);
    });
  }

  async function start(file) {
    end();
    const mine = visit;
    hear({ sent: 0, of: file.size });
    const { status, body } = await upload(file);
    if (mine !== visit) return;
    request = undefined;
    if (status !== 200) {
      hear(body?.detail ? { refused: body.detail } : { lost: true });
      return;
    }
    const begun = await patiently(mine, () => ask(server.begin_film, { path: body[0] }));
    if (mine !== visit) {
      if (begun?.film) navigator.sendBeacon(address(`film/${begun.film}`));
      return;
    }
    if (begun.refused) {
      hear(begun);
      return;
    }
    film = begun.film;
    follow(mine, 0);
  }

  // Until the server has an answer.
  async function patiently(mine, call) {
    while (true) {
      const answer = await call();
      if (mine !== visit || (answer && !answer.busy)) return answer;
      if (!answer) hear({ trouble: true });
      await wait(1000 * (answer?.wait ?? 2));
    }
  }

  async function follow(mine, seen) {
    const draw = drawing;
    const answer = await patiently(mine, () => ask(server.film_progress, { film, seen, draw }));
    if (mine !== visit) return;
    if (answer.gone) {
      [film, drawing] = [undefined, false];
      hear({ gone: true });
      return;
    }
    drawing &&= typeof answer.drawn === "number" || !draw;
    hear({ answer: { ...answer, moments: answer.moments.map((each) => JSON.parse(each)) } });
    goOn = () => follow(mine, answer.seen);
    if (["done", "refused"].includes(answer.state) && !drawing) return;
    await wait(ASK_EVERY);
    if (mine === visit) goOn();
  }

  function draw() {
    if (!film) hear({ gone: true });
    else if (!drawing) {
      drawing = true;
      goOn();
    }
  }

  addEventListener("pagehide", end);
  return { start, end, draw, copy: () => film && address(`film/${film}`) };
}
