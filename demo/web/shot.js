// The camera of the tab Picture: one picture, and it is let go.
//
// cameraShots(root, {begin, begun, show, leave, give}): begin() counts a new wish of the visitor's and begun() gives the
// newest one; show(state, message); leave() shows the empty page; give(blob). Gives back the function that lets the
// camera go. Before this comes camera.js.

function cameraShots(root, { begin, begun, show, leave, give }) {
  const find = (selector) => root.querySelector(selector);
  const camera = find(".camera");

  function letGo() {
    stopTracks(camera.srcObject);
    camera.srcObject = null;
  }

  find(".open-camera").addEventListener("click", async () => {
    const mine = begin();
    if (noCamera()) {
      show("refused", noCamera());
      return;
    }
    show("asking", "Asking for the camera…");
    try {
      const stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "user", width: 1280 } });
      if (mine !== begun()) {
        stopTracks(stream);
        return;
      }
      camera.srcObject = stream;
      await camera.play();
    } catch (error) {
      if (mine === begun()) show("refused", refusal(error));
      return;
    }
    if (mine !== begun()) return; // whatever came instead has let it go
    const [track] = camera.srcObject.getVideoTracks();
    track.addEventListener("ended", () => {
      if (camera.srcObject?.getVideoTracks()[0] !== track) return;
      begin();
      show("refused", UNPLUGGED);
    });
    show("camera", "Look at the camera.");
    find(".snap").focus();
    if (document.hidden) leave(); // since it was asked for
  });

  find(".close-camera").addEventListener("click", leave);

  find(".snap").addEventListener("click", () => {
    const mine = begun();
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [camera.videoWidth, camera.videoHeight];
    canvas.getContext("2d").drawImage(camera, 0, 0);
    canvas.toBlob((blob) => mine === begun() && give(blob), "image/jpeg", 0.95);
  });

  // A page that nobody sees does not hold the camera, nor does one with another of its tabs chosen.
  document.addEventListener("visibilitychange", () => {
    if (document.hidden && root.dataset.state === "camera") leave();
  });
  new ResizeObserver(() => {
    if (root.offsetParent === null && ["asking", "camera"].includes(root.dataset.state)) leave();
  }).observe(root);
  return letGo;
}
