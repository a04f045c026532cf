// Asks about a picture: ask({request, ...}) sends the question, and answered(callback) hears every answer, or undefined
// where one could not be had.
//
// The page of the server asks by an event of Gradio's, whose queue keeps the order of arrival, and gets the answer as its
// new value. Gradio does not say which event has failed.

const askAbout = (question) => trigger("picture", question);

function whenAnswered(take) {
  watch("value", () => take(props.value));
  element.querySelector(".picker").addEventListener("unanswered", () => take(undefined));
}
