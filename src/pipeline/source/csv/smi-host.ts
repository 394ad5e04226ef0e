import { UnusableSource } from "../../../domain/errors.ts";
import type { OpenedCsv } from "./open-csv.ts";

interface HostOptions {
  readonly path: string;
  /** Undefined if it is not known. */
  readonly hostname: string | undefined;
  readonly onWarning: (message: string) => void;
}

/** Gives a table of nvidia-smi the host of its GPUs, and reports it.
 *  @throws UnusableSource if the host is not known */
export function withHost({ path, hostname, onWarning }: HostOptions, opened: OpenedCsv): OpenedCsv {
  const { layout } = opened;
  if (layout.smi === undefined) return opened;
  if (hostname !== undefined) {
    onWarning(
      `${path} is a table of nvidia-smi, which does not name the host: its GPUs are on ${hostname} (SOURCE_HOSTNAME)`,
    );
    return { ...opened, layout: { ...layout, defaultHostname: hostname } };
  }
  if (layout.hostname >= 0) return opened;
  throw new UnusableSource(`${path} does not name the host of its GPUs; set SOURCE_HOSTNAME to the host's name.`);
}
