import { until } from "../../dev/until.ts";

/** An upload, as the API shows it. */
export interface ShownUpload {
  readonly id: string;
  readonly state: string;
  readonly message: string;
  readonly rows_read: number;
  readonly records_stored: number;
  readonly rejected_count: number;
  readonly rejected: Readonly<Record<string, number>>;
  readonly percent_read: number;
  readonly bytes_received: number;
  readonly source_id?: string;
  readonly duplicate?: boolean;
}

/** A wide table of one host's GPUs.
 *  @param rows each of a GPU and an instant of its own; of every 1,000 the first has no time */
export function wideTable(rows: number, host = "host-1"): string {
  const lines = ["timestamp,uuid,gpu_id,hostname,gpu_utilization,temperature,power_draw"];
  for (let row = 0; row < rows; row += 1) {
    const gpu = row % 8;
    const time = row % 1000 === 0 ? "never" : new Date(1_760_000_000_000 + Math.floor(row / 8) * 1000).toISOString();
    lines.push(`${time},GPU-${host}-${gpu},${gpu},${host},${row % 100},${40 + (row % 30)},${200 + (row % 100)}`);
  }
  return `${lines.join("\n")}\n`;
}

/** How many of these rows have a time. */
export const storedOf = (rows: number): number => rows - Math.ceil(rows / 1000);

/** Sends a file as curl -F does. */
export async function sendFile(url: string, content: string | Uint8Array<ArrayBuffer>, name = "fleet.csv") {
  const form = new FormData();
  form.append("file", new Blob([content]), name);
  const response = await fetch(`${url}/api/v1/csv/upload`, { method: "POST", body: form });
  const { data } = (await response.json()) as { data: ShownUpload };
  return { status: response.status, data };
}

/** @throws if the gateway does not answer */
export async function uploadAt(url: string, id: string): Promise<ShownUpload> {
  const response = await fetch(`${url}/api/v1/csv/uploads/${id}`);
  return ((await response.json()) as { data: ShownUpload }).data;
}

/** Waits until an upload has ended. */
export function endOf(url: string, id: string): Promise<ShownUpload> {
  return until(
    async () => {
      const upload = await uploadAt(url, id);
      return ["done", "failed", "cancelled"].includes(upload.state) ? upload : undefined;
    },
    { timeoutMs: 60_000 },
  );
}

/** How many records the history has. */
export async function recordsAt(url: string): Promise<number> {
  const times = "start_time=2025-10-01T00:00:00Z&end_time=2025-11-01T00:00:00Z";
  const response = await fetch(
    `${url}/api/v1/telemetry/aggregates?group_by=cluster&metrics=temperature&resolution=1d&${times}`,
  );
  const { data } = (await response.json()) as { data: readonly { metrics: { temperature: { count: number } } }[] };
  return data.reduce((sum, { metrics }) => sum + metrics.temperature.count, 0);
}
