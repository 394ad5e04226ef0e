import { CollectedSamples } from "../../src/pipeline/source/exposition/collected-samples.ts";
import { SharedTexts } from "../../src/pipeline/source/labels/shared-texts.ts";
import type { SentSeries } from "./make-request.ts";

/** The series that a Prometheus would send for an exposition: it drops empty labels, and adds those of the target.
 *  @param target the labels `instance` and `job`, and those of the target; the exporter's own of these names are renamed */
export function seriesOfText(text: string, timeMs: number, target: Readonly<Record<string, string>>): SentSeries[] {
  const collected = new CollectedSamples(new SharedTexts());
  const { families } = collected.scan({ bytes: new TextEncoder().encode(text) });
  return collected.samples.map(({ series, value }) => {
    const own = series.labels.filter(([, label]) => label !== "");
    const renamed = own.map(([name, label]): [string, string] => [
      Object.hasOwn(target, name) ? `exported_${name}` : name,
      label,
    ]);
    const help = families.get(series.name)?.help ?? "";
    return {
      labels: { __name__: series.name, ...Object.fromEntries(renamed), ...target },
      samples: [[value, timeMs]],
      help,
    };
  });
}
