import { UnusableSource } from "../../../domain/errors.ts";
import type { OpenedCsv } from "./open-csv.ts";

interface HostOptions {
  /** That of a table of nvidia-smi; undefined if it is not known. */
  readonly hostname: string | undefined;
  /** That of any other table without a host's column; undefined if none is named. */
  readonly namedHostname: string | undefined;
  readonly onWarning: (message: string) => void;
}

/** Gives a table that does not name the host of its GPUs a host, and reports it.
 *  @throws UnusableSource if the host is not known */
export function withHost(options: HostOptions, opened: OpenedCsv): OpenedCsv {
  const { onWarning } = options;
  const { layout, seen } = opened;
  const { path } = seen;
  const isSmi = layout.smi !== undefined;
  if (!isSmi && layout.hostname >= 0) return opened;
  const defaultHostname = isSmi ? options.hostname : options.namedHostname;
  if (defaultHostname !== undefined) {
    const what = isSmi ? "is a table of nvidia-smi, which does not" : "does not";
    onWarning(`${path} ${what} name the host: its GPUs are on ${defaultHostname} (SOURCE_HOSTNAME)`);
    return { ...opened, layout: { ...layout, defaultHostname } };
  }
  if (layout.hostname >= 0) return opened;
  throw new UnusableSource(`${path} does not name the host of its GPUs; set SOURCE_HOSTNAME to the host's name.`);
}
