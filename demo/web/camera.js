// What both pages do with a camera, and say where it cannot be had.

const UNPLUGGED = "The camera was disconnected: connect it, then start again.";

function stopTracks(stream) {
  stream?.getTracks().forEach((track) => track.stop());
}

// Why browsers give this page no camera at all, or undefined where they do.
function noCamera() {
  if (!window.isSecureContext) {
    return "Browsers give the camera only to pages on https, or on this very machine as http://localhost. "
      + "Put this page behind https to use a camera from another device.";
  }
  return navigator.mediaDevices ? undefined : "This browser gives pages no camera: open this page in another one.";
}

// What an error of getUserMedia means.
function refusal(error) {
  return {
    NotAllowedError: "The camera was refused: allow it beside the address bar, then start again.",
    NotFoundError: "No camera was found: connect one, or give a picture instead.",
    OverconstrainedError: "This camera cannot be used: choose another one, or give a picture instead.",
    NotReadableError: "The camera is used by another program: close that program, then start again.",
  }[error.name] ?? `The camera could not be opened (${error.name}).`;
}
