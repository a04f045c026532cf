// What was read of a video: moments {time, faces} in the order of time, each face with its person.

const LASTS = 1; // seconds for which the last reading is shown, where none follows

// The faces at a time, as overlay.js draws them: on their way from one reading to the next, as in the annotated video.
function facesAt(moments, time) {
  const next = momentsUntil(moments, time);
  const [now, coming] = [moments[next - 1], moments[next]];
  if (!now) return [];
  const span = (coming?.time ?? Infinity) - now.time;
  if (span > LASTS && time - now.time > (coming ? LASTS / 2 : LASTS)) return [];
  const share = span > LASTS ? 0 : (time - now.time) / span;
  return now.faces.map((face) => {
    const to = coming?.faces.find(({ person }) => person === face.person);
    const box = to && share ? face.box.map((value, index) => value + share * (to.box[index] - value)) : face.box;
    return { ...face, number: face.person, box };
  });
}

// How many moments are not later than a time; times of players and files differ in the last digits.
function momentsUntil(moments, time) {
  let [low, high] = [0, moments.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (moments[middle].time <= time + 1e-3) low = middle + 1;
    else high = middle;
  }
  return low;
}

// A row a person for the timeline: [{person, points: [{time, label, share, unsure}]}]; of moments as they were read.
function rowsOfMoments(moments) {
  const rows = new Map();
  for (const { time, faces } of moments) {
    for (const { person, label, confidence, not_sure: unsure } of faces) {
      if (!rows.has(person)) rows.set(person, []);
      rows.get(person).push({ time, label, share: confidence, unsure: Boolean(unsure) });
    }
  }
  return [...rows].map(([person, points]) => ({ person, points }));
}

// The same of the server's timeline, which is smoothed.
function rowsOfTimeline({ people }) {
  return people.map(({ person, times, probabilities }) => {
    const columns = Object.entries(probabilities);
    const points = times.map((time, index) => {
      const [label, values] = columns.reduce((best, each) => (each[1][index] > best[1][index] ? each : best));
      return { time, label, share: values[index], unsure: false };
    });
    return { person, points };
  });
}

// "1:05"; hours are beyond what is read.
function clock(seconds) {
  const whole = Math.floor(seconds + 1e-6);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}

// A row a face, and one for a moment without any; before this comes numbers.js.
function tableOfMoments({ model: { labels }, moments }) {
  const head = headOf(["time", "person"], labels);
  const rows = moments.flatMap(({ time, faces }) => {
    if (!faces.length) return [[time, ...Array(head.length - 2).fill(""), "no face"]];
    return faces.map((face) => rowOf([time, face.person], face, labels));
  });
  return { head, rows };
}
