import { writeFile } from "node:fs/promises";
import { serveExporters } from "../../dev/exporters/serve-exporters.ts";
import type { ServeArguments } from "./serve-arguments.ts";
import { stopSignal } from "../../src/kit/stop-signals.ts";
import { print } from "../../src/terminal/print.ts";
import { written } from "../../src/terminal/writable-file.ts";

/** Serves exporters until SIGINT or SIGTERM, and says where they are.
 *  @throws Error if a port is taken or the file of targets cannot be written */
export async function serveFleet({ exporters: options, targetsFile }: ServeArguments): Promise<void> {
  const exporters = serveExporters(options);
  try {
    if (targetsFile !== undefined)
      await written("--targets-file", targetsFile, () => writeFile(targetsFile, exporters.targetsFile));
    const [first, last] = [exporters.targets[0], exporters.targets.at(-1)];
    const to = first === last ? "" : ` to http://${last?.address}${last?.path}`;
    print(
      `${exporters.targets.length} exporters (${options.dialect}): http://${first?.address}${first?.path}${to}\n` +
        (targetsFile === undefined ? "" : `DCGM_TARGETS_FILE=${targetsFile} names them all\n`) +
        `faults: curl -X PUT --data-binary 'slow:2s:0.1' http://${first?.address}/-/faults`,
    );
    await stopSignal();
  } finally {
    await exporters.stop();
  }
}
