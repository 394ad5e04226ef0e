import { ExportedGpu } from "../../src/pipeline/source/simulated/devices/exported-gpu.ts";
import { noShares } from "../../src/pipeline/source/simulated/devices/device-shares.ts";
import type { SimulatedFleet } from "../../src/pipeline/source/simulated/simulated-fleet.ts";
import type { SimulatedGpu } from "../../src/pipeline/source/simulated/simulated-gpu.ts";
import { type ExporterDialect, textOf } from "./exporter-dialect.ts";
import type { Fault, FaultKind } from "./faults.ts";
import { ReadGpu } from "./read-gpu.ts";

export interface SimulatedExporterOptions {
  /** Index of the exporter, from 0. */
  readonly index: number;
  readonly hostname: string;
  readonly gpus: readonly SimulatedGpu[];
  readonly exported: SimulatedFleet["exported"];
  readonly dialect: ExporterDialect;
  readonly seed: number;
  readonly intervalMs: number;
}

/** What an exporter's text depends on. */
export interface ExporterState {
  readonly tick: number;
  /** The exporter's lasting faults. */
  readonly faults: readonly Fault[];
  /** From 0 to 1: selects the GPU that the faults strike. */
  readonly chosen: number;
}

/** The index of divisions by a fault differs from those of the fleet, so that a divided GPU gets another layout. */
const firstIndexOfFaults = 500_000;

/** The exporter of a host. Its text is written once for a tick, however often it is scraped. */
export class SimulatedExporter {
  readonly hostname: string;
  private key = "";
  private written = "";
  private compressed: Uint8Array<ArrayBuffer> | undefined;
  private divided: { readonly gpu: SimulatedGpu; readonly rows: ExportedGpu; tick: number } | undefined;

  constructor(private readonly options: SimulatedExporterOptions) {
    this.hostname = options.hostname;
  }

  /** The text at this tick. */
  text(state: ExporterState): string {
    const has = (kind: FaultKind["kind"]): boolean => state.faults.some((fault) => fault.kind === kind);
    if (has("frozen") && this.written !== "") return this.written;
    const key = `${state.tick} ${state.faults.map(({ text }) => text).join(" ")}`;
    if (key === this.key) return this.written;
    const { gpus, exported, dialect } = this.options;
    const struck = gpus[Math.floor(state.chosen * gpus.length)];
    const division = has("mig-reconfigured") && struck !== undefined ? this.divisionOf(struck, state.tick) : undefined;
    const present = gpus.filter((gpu) => !gpu.isSilent && !(has("vanishing-gpu") && gpu === struck));
    const read = present.map(
      (gpu) => new ReadGpu(gpu, gpu === struck ? (division ?? exported.get(gpu)) : exported.get(gpu)),
    );
    const restarted = state.faults.find((fault) => fault.kind === "restarted-as");
    this.written = textOf[restarted?.dialect ?? dialect](read);
    this.key = key;
    this.compressed = undefined;
    return this.written;
  }

  /** The text at this tick, compressed. */
  gzip(state: ExporterState): Uint8Array<ArrayBuffer> {
    const text = this.text(state);
    this.compressed ??= Bun.gzipSync(text, { level: 1 });
    return this.compressed;
  }

  private divisionOf(gpu: SimulatedGpu, tick: number): ExportedGpu | undefined {
    const { seed, index, intervalMs } = this.options;
    if (this.divided?.gpu !== gpu) {
      const rows = ExportedGpu.of(gpu, firstIndexOfFaults + index, { shares: { ...noShares, mig: 1 }, seed });
      if (rows === undefined) return undefined;
      this.divided = { gpu, rows, tick };
    }
    const { divided } = this;
    for (; divided.tick < tick; divided.tick += 1) divided.rows.advance(intervalMs / 1000);
    return divided.rows;
  }
}
