import { KeysFile } from "../access/file/keys-file.ts";
import type { Config } from "../config/parse-config.ts";
import { tlsSettingsOf } from "../config/tls-settings-of.ts";
import { mayHaveDatabase } from "../db/data-dir.ts";
import { AuthMissing } from "../domain/errors.ts";
import type { Clock } from "../kit/clock.ts";
import { checkTexts, readTexts } from "../tls/certificate-files.ts";
import { isKeyRequired } from "./open-access.ts";
import { providerCaOf } from "./open-people.ts";

/** Checks the files that the settings name, and whether there can be a key, before anything is opened: to create the embedded database
 *  takes up to 40 s, after which the same errors would come.
 *  @throws TlsUnusable, InvalidConfig, AuthMissing */
export async function checkBeforeOpening(config: Config, clock: Pick<Clock, "nowMs">): Promise<void> {
  const files = tlsSettingsOf(config, config.port)?.files;
  if (files !== undefined) checkTexts(files, await readTexts(files));
  if (!isKeyRequired(config)) return;
  providerCaOf(config);
  await checkKeys(config, clock.nowMs());
}

/** @throws AuthMissing if a gateway certainly has no key */
async function checkKeys(config: Config, nowMs: number): Promise<void> {
  const { roles, authBootstrapKey, authOidcIssuer, authClientCaFile, authKeysFile, databaseUrl, dataDir } = config;
  if (!roles.includes("gateway") || (authBootstrapKey ?? authOidcIssuer ?? authClientCaFile) !== undefined) return;
  // only an open database says whether it has keys
  if (databaseUrl !== undefined || (await mayHaveDatabase(dataDir))) return;
  const { keys, problems } =
    authKeysFile === undefined ? { keys: [], problems: [] } : await new KeysFile(authKeysFile).read();
  if (!keys.some(({ expiresAtMs = Infinity }) => expiresAtMs > nowMs)) throw new AuthMissing(problems);
}
