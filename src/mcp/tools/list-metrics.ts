import { cursor as cursorArgument, optionalText } from "../parameters.ts";
import { partOf } from "../part-of.ts";
import { shown } from "../text.ts";
import { defineTool } from "../tool.ts";

/** The most lines of an answer. */
const maxMetrics = 100;

/** Which metrics there are. */
export const listMetrics = defineTool({
  name: "list_metrics",
  title: "List metrics",
  description:
    "Metrics that records may have, with their unit, kind and DCGM field, and metrics outside the catalogue that the newest records " +
    "have. The tool metric_history takes their names.",
  input: {
    contains: optionalText("Only those whose name, field or description has this text"),
    cursor: cursorArgument,
  },
  async answer({ contains, cursor }, api) {
    const [known, reported] = [
      await api.get("/api/v1/metrics"),
      await api.get("/api/v1/metrics/series", { limit: 10_000 }),
    ];
    const catalogue = known.data.map(
      ({ name, unit, kind, dcgm_field: field, description }) => `${name}: ${description}; ${unit}, ${kind}; ${field}`,
    );
    const others = reported.data.map(
      ({ name, records }) =>
        `${shown(name)}: outside the catalogue, or a labelled series; of ${records} newest records`,
    );
    const wanted = contains?.toLowerCase();
    const lines = [...catalogue, ...others].filter(
      (line) => wanted === undefined || line.toLowerCase().includes(wanted),
    );
    if (lines.length === 0) return "No metric matches.";
    const { part, more } = partOf(lines, { limit: maxMetrics, cursor });
    return [...part, ...more].join("\n");
  },
});
