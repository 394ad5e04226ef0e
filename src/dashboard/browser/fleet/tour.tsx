import { useState } from "preact/hooks";
import { useAnswer } from "../frame/use-answer.ts";
import { readIsSimulated } from "../live/pipeline-api.ts";

const storageKey = "tour";

/** What to look at first, for those who have just started a simulated fleet; nothing on a real one. */
export function Tour() {
  const { value: isSimulated } = useAnswer(readIsSimulated, undefined, []);
  const [isSeen, setSeen] = useState(wasSeen);
  if (isSimulated !== true || isSeen) return null;
  const close = (): void => {
    setSeen(true);
    noteSeen();
  };
  return (
    <section class="notice tour" aria-labelledby="tour">
      <h2 id="tour">This fleet is simulated</h2>
      <ol>
        <li>Each cell of the heat map is a GPU, each row a host. Point at one, or use the arrow keys.</li>
        <li>In the table, the number of a GPU leads to its charts, and the name of a host to its GPUs.</li>
        <li>
          <a href="/faults">Faults</a> says what is wrong and what to do, <a href="/namespaces">Namespaces</a> who holds
          idle GPUs, and <a href="/pipeline">Pipeline</a> whether these numbers can be trusted.
        </li>
      </ol>
      <p>Your own GPUs appear here with</p>
      <pre>DCGM_TARGETS=gpu-01:9400,gpu-02:9400 bun run dev</pre>
      <button type="button" class="button" onClick={close}>
        Close
      </button>
    </section>
  );
}

function wasSeen(): boolean {
  try {
    return localStorage.getItem(storageKey) === "seen";
  } catch {
    // a browser may forbid storage
    return false;
  }
}

function noteSeen(): void {
  try {
    localStorage.setItem(storageKey, "seen");
  } catch {
    // it is then shown again
  }
}
