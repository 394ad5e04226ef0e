import type { BatchBuilder } from "../../../src/domain/batch-builder.ts";
import { metricIndexOf } from "../../../src/domain/metrics.ts";
import { noWorkload } from "../../../src/domain/gpu.ts";
import type { ReceivedExposition } from "../../../src/pipeline/source/exposition/scanned-exposition.ts";
import type { TargetReader } from "../../../src/pipeline/source/exporter/target-reader.ts";
import type { ReadExposition } from "../../../src/pipeline/source/exposition/exposition-reader.ts";

/** Reads only lines as `dcgmText` writes them, and rejects all others. It fails at the line BROKEN. */
export class LineReader implements TargetReader {
  read({ bytes }: ReceivedExposition, timeMs: number, builder: BatchBuilder): ReadExposition {
    let [samples, rejected] = [0, 0];
    const uuids = new Set<string>();
    for (const [index, line] of new TextDecoder().decode(bytes).trim().split("\n").entries()) {
      const [, name = "", labels = "", value = ""] = /^(\w+)\{(.*)\} (\S+)$/.exec(line) ?? [];
      if (line === "BROKEN") throw new Error("a reader fails at this line");
      const metricIndex = metricIndexOf(name);
      const label = (wanted: string): string => new RegExp(`${wanted}="([^"]*)"`).exec(labels)?.[1] ?? "";
      if (metricIndex === undefined) {
        rejected += 1;
        const about = { line: index + 1, byte: 0, field: "", value: "", message: "", raw: line };
        builder.reject({ ...about, reason: "invalid_record" });
        continue;
      }
      uuids.add(label("UUID"));
      const gpu = builder.gpuIndex({
        uuid: label("UUID"),
        hostname: label("Hostname"),
        gpuId: Number(label("gpu")),
        clusterId: "lab",
        device: label("device"),
        modelName: label("modelName"),
        driverVersion: "",
        properties: {},
      });
      const record = builder.record(gpu, timeMs, builder.workloadIndex(noWorkload));
      builder.set(record, metricIndex, Number(value));
      builder.count("rows");
      samples += 1;
    }
    return {
      dialect: "dcgm",
      devices: uuids.size,
      samples,
      ignored: 0,
      rejected,
      undecided: 0,
      sampleLines: samples,
      isCut: false,
      offTime: undefined,
    };
  }
}
