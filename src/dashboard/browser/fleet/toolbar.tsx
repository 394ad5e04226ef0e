import { useEffect, useRef, useState } from "preact/hooks";
import { metricFacts, metricKeys } from "../../model/metric.ts";
import type { ViewState } from "../../model/view-state.ts";
import { after } from "../clock.ts";
import type { ChangeView } from "./use-view-state.ts";

interface ToolbarOptions {
  readonly state: ViewState;
  readonly change: ChangeView;
  /** What is wrong with the search; undefined: nothing. */
  readonly problem: string | undefined;
}

/** The devices are found once the typing pauses this long. */
const typingMs = 200;

/** The search and the choice of the metric. */
export function Toolbar({ state, change, problem }: ToolbarOptions) {
  return (
    <div class="toolbar">
      <SearchBox state={state} change={change} problem={problem} />
      <fieldset class="metrics">
        <legend class="for-readers">Metric of the heat map</legend>
        {metricKeys.map((key) => (
          <label key={key}>
            <input
              type="radio"
              name="metric"
              value={key}
              checked={state.metric === key}
              onChange={() => change({ metric: key })}
            />
            <span>{metricFacts[key].label}</span>
          </label>
        ))}
      </fieldset>
    </div>
  );
}

function SearchBox({ state, change, problem }: ToolbarOptions) {
  const [text, setText] = useState(state.search);
  const cancel = useRef<() => void>(() => undefined);
  useEffect(() => setText(state.search), [state.search]);
  return (
    <form
      class="search"
      role="search"
      onSubmit={(event) => {
        event.preventDefault();
        cancel.current();
        change({ search: text });
      }}
    >
      <label>
        <span class="for-readers">Search devices</span>
        <input
          type="search"
          value={text}
          placeholder="host:gpu-01 model:h100 not pod:train"
          spellcheck={false}
          autocomplete="off"
          aria-describedby="search-help"
          aria-invalid={problem !== undefined}
          onInput={({ currentTarget: { value } }) => {
            setText(value);
            cancel.current();
            cancel.current = after(typingMs, () => change({ search: value }, true));
          }}
        />
      </label>
      <p id="search-help" class={problem === undefined ? "for-readers" : "problem"} role="status">
        {problem ??
          "Words must all be found; or, not and parentheses combine them; host:, model:, namespace:, pod: and uuid: restrict them."}
      </p>
    </form>
  );
}
