import { isMoving, type RangeName, rangeTexts, type TimeChoice, type TimeWindow } from "../../model/time-choice.ts";

interface TimeBarOptions {
  /** The ranges to choose from. */
  readonly ranges: readonly RangeName[];
  readonly time: TimeChoice;
  readonly window: TimeWindow;
  readonly onChoose: (time: TimeChoice) => void;
}

/** The choice of what time is shown: a range that ends now, or any window. */
export function TimeBar(options: TimeBarOptions) {
  const { ranges, time, onChoose } = options;
  return (
    <div class="time-bar">
      <fieldset class="choices">
        <legend class="for-readers">Range</legend>
        {ranges.map((name) => (
          <label key={name}>
            <input type="radio" name="range" value={name} checked={time === name} onChange={() => onChoose(name)} />
            <span>{rangeTexts[name]}</span>
          </label>
        ))}
      </fieldset>
      <WindowForm {...options} />
    </div>
  );
}

function WindowForm({ time, window, onChoose }: TimeBarOptions) {
  const choose = (form: HTMLFormElement): void => {
    const given = new FormData(form);
    const [fromMs, toMs] = ["from", "to"].map((name) => Date.parse(textOf(given.get(name))));
    if (fromMs !== undefined && toMs !== undefined && fromMs < toMs) onChoose({ fromMs, toMs });
  };
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        choose(event.currentTarget);
      }}
    >
      {(["from", "to"] as const).map((name) => (
        <label key={`${name} ${JSON.stringify(time)}`}>
          {name}{" "}
          <input
            type="datetime-local"
            name={name}
            step="1"
            required
            defaultValue={localText(name === "from" ? window.fromMs : window.toMs)}
          />
        </label>
      ))}
      <button type="submit" class="button">
        Show
      </button>
      {!isMoving(time) && <span>a fixed window; a range follows the present</span>}
    </form>
  );
}

const textOf = (value: FormDataEntryValue | null): string => (typeof value === "string" ? value : "");

/** An instant as the field of a form has it: local, without a zone. */
function localText(atMs: number): string {
  const offsetMs = new Date(atMs).getTimezoneOffset() * 60_000;
  return new Date(atMs - offsetMs).toISOString().slice(0, 19);
}
