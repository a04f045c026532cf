// Records a video with the camera, without sound.
//
// filming(root, {most, show, give}) gives the function that lets the camera go: most: seconds of a recording; show(state,
// message); give(file) gets what was recorded. Before this come camera.js and moments.js (clock).

function filming(root, { most, show, give }) {
  const find = (selector) => root.querySelector(selector);
  const player = find(".player");
  let visit = 0; // counts starts and ends
  let recorder;
  let timer;

  function letGo() {
    visit += 1;
    clearInterval(timer);
    if (recorder?.state === "recording") recorder.stop();
    recorder = undefined;
    stopTracks(player.srcObject);
    player.srcObject = null;
  }

  async function start() {
    letGo();
    const mine = visit;
    if (noCamera() || !window.MediaRecorder) {
      show("refused", noCamera() ?? "This browser cannot record: choose a video instead.");
      return;
    }
    show("asking", "Allow the camera where the browser asks for it.");
    try {
      const stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "user", width: 1280 } });
      if (mine !== visit) {
        stopTracks(stream);
        return;
      }
      stream.getVideoTracks()[0].addEventListener("ended", () => mine === visit && finish());
      player.srcObject = stream;
      await player.play();
    } catch (error) {
      if (mine === visit) show("refused", refusal(error));
      return;
    }
    if (mine === visit) record(player.srcObject);
  }

  function record(stream) {
    const began = performance.now();
    const pieces = [];
    const mine = new MediaRecorder(stream);
    recorder = mine;
    mine.addEventListener("dataavailable", ({ data }) => pieces.push(data));
    mine.addEventListener("stop", () => {
      if (mine.wanted) give(new File(pieces, "recording", { type: mine.mimeType }));
    });
    mine.start();
    const tell = () => {
      const seconds = (performance.now() - began) / 1000;
      show("recording", `Recording: ${clock(seconds)} of at most ${clock(most)}, kept in this browser until you stop.`);
      if (seconds >= most) finish();
    };
    tell();
    timer = setInterval(tell, 1000);
  }

  function finish() {
    if (recorder) recorder.wanted = true;
    letGo();
  }

  find(".record").addEventListener("click", start);
  find(".stop").addEventListener("click", finish);
  return letGo;
}
