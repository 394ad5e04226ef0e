import {
  batchesOf,
  CsvFolder,
  exporterHeader,
  exporterRow,
  openCsvSource,
  type TestCsvOptions,
} from "../../support/csv-reading.ts";
import { openLiveGateway } from "../live/live-gateway.ts";

/** Cells of a row of the exporter's layout that differ from the usual row. */
export type Cells = Partial<Record<string, string>>;

/** Labels of a MIG instance, for the cell `more`. */
export const migLabels = (id: string, profile: string): string => `,GPU_I_ID="${id}",GPU_I_PROFILE="${profile}"`;

/** A listening gateway whose store and hot tier have the content of a CSV. */
export type DeviceGateway = Awaited<ReturnType<typeof openDeviceGateway>>;

/** Opens a gateway, and imports rows as one file.
 *  @param options those for reading the file */
export async function openDeviceGateway(rows: readonly Cells[], options: TestCsvOptions = {}) {
  const folder = new CsvFolder();
  const gateway = await openLiveGateway();
  const importRows = async (more: readonly Cells[]): Promise<void> => {
    const text = `${[exporterHeader, ...more.map((cells) => exporterRow(cells))].join("\n")}\n`;
    const source = await openCsvSource(folder.write(text), options);
    for (const { batch } of await batchesOf(source)) await gateway.collect(batch);
  };
  await importRows(rows);
  const get = (path: string, init?: RequestInit) => fetch(`http://127.0.0.1:${gateway.port}${path}`, init);
  return {
    ...gateway,
    importRows,
    get,
    /** The `data` of a JSON answer; the whole answer if it is an error. */
    data: async (path: string): Promise<unknown> => {
      const answer = (await (await get(path)).json()) as { readonly data?: unknown };
      return answer.data ?? answer;
    },
    /** The `data` of a GraphQL answer; the whole answer if it has errors. */
    ask: async (query: string): Promise<unknown> => {
      const headers = { "content-type": "application/json" };
      const answer = await (await get("/graphql", { method: "POST", headers, body: JSON.stringify({ query }) })).json();
      const { data, errors } = answer as { readonly data?: unknown; readonly errors?: unknown };
      return errors === undefined ? data : answer;
    },
    close: async () => {
      await gateway.close();
      folder.remove();
    },
  };
}

/** The elements of an answer, reduced to some of their fields. */
export function pick(rows: unknown, ...names: readonly string[]): unknown[] {
  return (rows as readonly Readonly<Record<string, unknown>>[]).map((row) => {
    const picked = names.map((name) => row[name]);
    return names.length === 1 ? picked[0] : picked;
  });
}
