// One call of a function of the server's. undefined where it cannot be reached, failed, or takes longer than PATIENCE:
// Gradio's calls do not reject.

const PATIENCE = 15000; // ms

function ask(call, question) {
  const late = new Promise((giveUp) => setTimeout(giveUp, PATIENCE));
  return Promise.race([call(question).catch(() => undefined), late]);
}
