import { type ExporterServer, exposition, startExporter } from "../pipeline/exporter/exporter-server.ts";

/** What an exporter says of a GPU. */
export interface SaidGpu {
  readonly index: number;
  /** The ids of its MIG instances; none: it is not divided. */
  readonly instances?: readonly number[];
  readonly pod?: string;
  /** The XIDs that it counts. */
  readonly xids?: readonly number[];
}

/** A series as an exporter writes it. */
export interface SaidSeries {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** The series of a GPU, as dcgm-exporter writes them: each instance repeats the temperature of the board. */
function seriesOf(host: string, { index, instances = [], pod, xids = [] }: SaidGpu): SaidSeries[] {
  const gpu = {
    ...{ gpu: String(index), UUID: `GPU-${host}-${index}`, device: `nvidia${index}`, modelName: "NVIDIA H100" },
    Hostname: host,
  };
  const held = pod === undefined ? {} : { namespace: "ml", pod, container: "main" };
  const divided = instances.map((id) => ({ ...gpu, GPU_I_ID: String(id), GPU_I_PROFILE: "1g.10gb" }));
  const devices: readonly (typeof gpu)[] = divided.length === 0 ? [gpu] : divided;
  return [
    ...devices.flatMap((device, at) => [
      { name: "DCGM_FI_DEV_FB_USED", labels: { ...device, ...held }, value: 1000 * (index + 1) + 10 * at },
      { name: "DCGM_FI_DEV_GPU_TEMP", labels: { ...device, ...held }, value: 40 + index },
    ]),
    ...xids.map((xid) => ({
      ...{ name: "DCGM_EXP_XID_ERRORS_TOTAL", labels: { ...gpu, xid: String(xid) }, value: xid },
    })),
  ];
}

/** An exporter whose GPUs a test changes. */
export class ChangingExporter {
  private said: readonly SaidSeries[] = [];
  private readonly server: ExporterServer = startExporter(() => new Response("", { status: 500 }));

  constructor(private readonly host: string) {}

  get address(): string {
    return this.server.address;
  }

  /** The series that it has now; none while it fails. */
  get series(): readonly SaidSeries[] {
    return this.said;
  }

  say(gpus: readonly SaidGpu[]): void {
    this.said = gpus.flatMap((gpu) => seriesOf(this.host, gpu));
    const lines = this.said.map(({ name, labels, value }) => {
      const texts = Object.entries(labels).map(([label, text]) => `${label}="${text}"`);
      return `${name}{${texts.join(",")}} ${value}\n`;
    });
    // an exporter without GPUs still has a series of its own
    this.server.answer(exposition(`process_start_time_seconds 1\n${lines.join("")}`));
  }

  fail(status: number): void {
    this.said = [];
    this.server.answer(() => new Response("", { status }));
  }

  /** Nothing listens at its port any more. */
  die(): Promise<void> {
    this.said = [];
    return this.server.close();
  }
}
