import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { metricFacts, metricKeys } from "../../model/metric.ts";
import type { ViewState } from "../../model/view-state.ts";
import { after } from "../clock.ts";
import type { ChangeState } from "../frame/use-url-state.ts";

interface ToolbarOptions {
  readonly state: ViewState;
  readonly change: ChangeState<ViewState>;
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
      <fieldset class="choices">
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
  const { text, type, find } = useTyping(state.search, change);
  return (
    <form
      class="search"
      role="search"
      onSubmit={(event) => {
        event.preventDefault();
        find();
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
          onInput={({ currentTarget: { value } }) => type(value)}
        />
      </label>
      <p id="search-help" class={problem === undefined ? "for-readers" : "problem"} role="status">
        {problem ??
          "Words must all be found; or, not and parentheses combine them; host:, model:, namespace:, pod: and uuid: restrict them."}
      </p>
    </form>
  );
}

/** The text in the box: what is typed, and after the back button what the URL says. */
function useTyping(search: string, change: ChangeState<ViewState>) {
  const [text, setText] = useState(search);
  const cancel = useRef<() => void>(() => undefined);
  /** The last search of this box. Its own search must not replace a letter that has been typed since. */
  const own = useRef(search);
  useLayoutEffect(() => {
    if (search === own.current) return;
    cancel.current();
    own.current = search;
    setText(search);
  }, [search]);
  const send = (value: string, isTyping: boolean): void => {
    cancel.current();
    own.current = value;
    change({ search: value }, isTyping);
  };
  const type = (value: string): void => {
    setText(value);
    cancel.current();
    cancel.current = after(typingMs, () => send(value, true));
  };
  return { text, type, find: () => send(text, false) };
}
