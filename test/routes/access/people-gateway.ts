import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseConfig } from "../../../src/config/parse-config.ts";
import { systemClock } from "../../../src/kit/clock.ts";
import { startAll, stopAll } from "../../../src/kit/run-services.ts";
import type { OpenStore } from "../../../src/pipeline/store/open-store.ts";
import { openAccess } from "../../../src/roles/open-access.ts";
import type { AuditTrail } from "../../../src/access/audit.ts";
import type { Redirects } from "../../support/redirects.ts";
import { type TestProvider, testClient } from "../../support/openid-provider.ts";
import { gatewayOver, type openFleetStore } from "../gateway.ts";
import { unshownLog } from "../../../dev/unshown-log.ts";

type Stored = Awaited<ReturnType<typeof openFleetStore>>;

/** The file that says what people may do. */
export class TestMapping {
  private constructor(
    private readonly folder: string,
    readonly path: string,
  ) {}

  static async make(entries: readonly object[]): Promise<TestMapping> {
    const folder = await mkdtemp(join(tmpdir(), "telemetry-mapping-"));
    const mapping = new TestMapping(folder, join(folder, "mapping.json"));
    await mapping.write(entries);
    return mapping;
  }

  async write(entries: readonly object[]): Promise<void> {
    await Bun.write(this.path, JSON.stringify(entries));
  }

  async remove(): Promise<void> {
    await rm(this.folder, { recursive: true });
  }
}

export interface PeopleGatewayOptions {
  readonly stored: Stored;
  readonly provider: Pick<TestProvider, "issuer">;
  readonly mapping: TestMapping;
  readonly port: number;
  /** Settings that replace those of the test. */
  readonly env?: Readonly<Record<string, string>>;
  readonly corsOrigins?: readonly string[];
  readonly unauthenticatedPerSecond?: number;
}

/** A gateway at which people sign in, on a port of 127.0.0.1. */
export async function startPeopleGateway(options: PeopleGatewayOptions) {
  const { stored, provider, mapping, port, env, corsOrigins, unauthenticatedPerSecond = 0 } = options;
  const url = `http://localhost:${port}`;
  const config = parseConfig({
    AUTH_OIDC_ISSUER: provider.issuer,
    AUTH_OIDC_CLIENT_ID: testClient.id,
    AUTH_OIDC_CLIENT_SECRET: testClient.secret,
    AUTH_OIDC_AUDIENCE: "api",
    AUTH_MAPPING_FILE: mapping.path,
    AUTH_PUBLIC_URL: url,
    ...env,
  });
  const log = unshownLog();
  const store = { current: stored as Pick<OpenStore, "client"> };
  const { access, signIn, services, administer } = await openAccess({ config, store, clock: systemClock, log });
  const entries: Parameters<AuditTrail["changed"]>[0][] = [];
  const note = (entry: (typeof entries)[number]): void => void entries.push(entry);
  const trail = { changed: note, refused: note };
  const administration = administer(stored.client);
  const http = { rateLimitPerSecond: 0, trustsForwardedFor: false, corsOrigins };
  const parts = { http, access, signIn, administration, trail, services, unauthenticatedPerSecond };
  const gateway = gatewayOver(stored, parts);
  await startAll(services);
  await gateway.get("/health/live");
  gateway.app.listen({ hostname: "127.0.0.1", port });
  return {
    url,
    gateway,
    administration,
    /** What the audit log was told. */
    entries,
    stop: async () => {
      await gateway.app.stop(true);
      await stopAll(services, AbortSignal.abort());
    },
  };
}

/** Signs someone in, by the provider's forms.
 *  @returns where the browser is then */
export async function signIn(browser: Redirects, url: string, { subject, path }: { subject: string; path: string }) {
  const page = await browser.open(`${url}/sign-in/provider?return_to=${encodeURIComponent(path)}`);
  const consent = await browser.submit(page, { prompt: "login", login: subject, password: "any" });
  return browser.submit(consent, { prompt: "consent" });
}
