import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Browser, chromium } from "playwright-core";
import { freePorts } from "./free-ports.ts";
import { TrixieServer } from "./trixie-server.ts";
import { trixieFolder } from "./trixie.ts";

/** A Chromium without windows, in a folder of Debian trixie of its own. */
export interface OpenChromium {
  readonly browser: Browser;
  close(): Promise<void>;
}

/** Starts a Chromium for which every host name leads to 127.0.0.1, as for a victim of DNS rebinding.
 *  @throws Error that names the missing requirement */
export async function openChromium(): Promise<OpenChromium> {
  const trixie = await trixieFolder(["chromium-headless-shell"]);
  const folder = await mkdtemp(join(tmpdir(), "chromium-"));
  const [port = 0] = await freePorts(1);
  const url = `http://127.0.0.1:${port}`;
  // older browsers let pages of the internet reach local addresses without a question
  const weakened = "disable-features=LocalNetworkAccessChecks";
  const flags = [weakened, "no-sandbox", "disable-gpu", "user-data-dir=/tmp/profile", `remote-debugging-port=${port}`];
  const command = [...flags.map((flag) => `--${flag}`), "--host-resolver-rules=MAP * 127.0.0.1"];
  const server = new TrixieServer({
    ...{ name: "chromium", trixie, folder, user: "daemon" },
    command: ["chromium-headless-shell", ...command],
    answers: async () => (await fetch(`${url}/json/version`)).ok,
  });
  await server.start();
  const browser = await chromium.connectOverCDP(url);
  return {
    browser,
    close: async () => {
      await browser.close();
      await server.kill();
      await rm(folder, { recursive: true });
    },
  };
}
