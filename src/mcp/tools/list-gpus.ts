import { atMost, cursor, optionalText, places } from "../parameters.ts";
import { continuation, counted, shown, timeWithAge } from "../text.ts";
import { defineTool } from "../tool.ts";

/** Finds devices, and their UUIDs. */
export const listGpus = defineTool({
  name: "list_gpus",
  title: "List GPUs",
  description:
    "GPUs and MIG instances with their UUID, host, index, model and driver, whether they report, and when they last did. " +
    "Other tools need the UUID.",
  input: {
    ...places,
    model: optionalText("Only of this model, such as NVIDIA H100 80GB HBM3"),
    namespace: optionalText("Only those that this Kubernetes namespace holds"),
    limit: atMost(200, 50),
    cursor,
  },
  async answer({ limit = 50, ...filters }, api) {
    const answer = await api.get("/api/v1/gpus", { ...filters, limit });
    const total = answer.total ?? answer.data.length;
    const lines = answer.data.map((gpu) => {
      const state = gpu.state === undefined || gpu.state === "active" ? "" : `, ${gpu.state}`;
      const model = gpu.name === "" ? "model unknown" : shown(gpu.name);
      const driver = gpu.driver_version === undefined ? "" : `, driver ${shown(gpu.driver_version)}`;
      const part = gpu.parent_uuid === undefined ? "" : `, MIG instance of ${shown(gpu.parent_uuid)}`;
      return (
        `${shown(gpu.cluster_id)} ${shown(gpu.hostname)} GPU ${shown(gpu.id)}: ${shown(gpu.uuid)}, ${model}${driver}${part}, ` +
        `${gpu.status}${state}, last record ${timeWithAge(gpu.last_seen_at)}`
      );
    });
    return [
      `${counted(total, "device")} in all; these are ${lines.length}`,
      ...lines,
      ...continuation(answer.next_cursor),
    ].join("\n");
  },
});
