// Questions to the server: JSON or an error whose message is for the reader.

const PATIENCE_MS = 8000;

export async function ask(path) {
  let answer;
  try {
    answer = await fetch(path, { cache: "no-store", signal: AbortSignal.timeout(PATIENCE_MS) });
  } catch (error) {
    throw new Error(error.name === "TimeoutError" ? "the server does not answer in time" : "the server does not answer");
  }
  let page = null;
  try {
    page = await answer.json();
  } catch {
    // Said below: what is no JSON is no page of ours.
  }
  if (!answer.ok || page === null) throw new Error(page?.error ?? `the server answers ${answer.status}`);
  return page;
}
