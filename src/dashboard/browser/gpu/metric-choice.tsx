import type { Metric } from "../live/device-api.ts";

interface MetricChoiceOptions {
  readonly known: readonly Metric[];
  readonly chosen: readonly string[];
  readonly onChoose: (names: readonly string[]) => void;
}

/** As many as one request of the API may name. */
const most = 20;

/** The choice of the charts. */
export function MetricChoice({ known, chosen, onChoose }: MetricChoiceOptions) {
  return (
    <details class="metric-choice">
      <summary>Charts ({chosen.length})</summary>
      <fieldset>
        <legend>Up to {most} metrics; counters are left out, as their value says little at an instant.</legend>
        {known.map(({ name, description }) => {
          const isChosen = chosen.includes(name);
          return (
            <label key={name}>
              <input
                type="checkbox"
                checked={isChosen}
                disabled={isChosen ? chosen.length === 1 : chosen.length >= most}
                onChange={() => onChoose(isChosen ? chosen.filter((each) => each !== name) : [...chosen, name])}
              />{" "}
              {description} <small>{name}</small>
            </label>
          );
        })}
      </fieldset>
    </details>
  );
}
