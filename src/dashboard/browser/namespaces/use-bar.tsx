import { figureOf, partText, type UsageRow } from "../../model/usage-figures.ts";

const parts = ["allocated", "active", "effective"] as const;

/** The allocated time as a length, and the active and effective parts of it.
 *  @param most the allocated seconds that have the whole length */
export function UseBar({ row, most }: { readonly row: UsageRow; readonly most: number }) {
  const allocated = figureOf(row, "allocated");
  const said = (["active", "effective"] as const).flatMap((key) => {
    const text = partText(figureOf(row, key), allocated);
    return text === "" ? [] : [`${text} ${key}`];
  });
  return (
    <div class="use-bar" role="img" aria-label={said.length === 0 ? "use not measured" : said.join(", ")}>
      {parts.map((key) => {
        const hours = figureOf(row, key);
        return Number.isNaN(hours) ? null : (
          <i key={key} class={key} style={{ width: `${Math.min(100, (100 * 3600 * hours) / most)}%` }} />
        );
      })}
    </div>
  );
}

/** What the colours of the bars mean. */
export function UseLegend() {
  return (
    <p class="use-legend">
      {parts.map((key) => (
        <span key={key}>
          <i class={key} aria-hidden="true" /> {key}
        </span>
      ))}
    </p>
  );
}
