import { generateKeyPair, exportJWK, SignJWT } from "jose";
import { readMapping } from "../../../src/access/file/mapping-file.ts";
import { RereadFile } from "../../../src/access/file/reread-file.ts";
import { GrantMapping } from "../../../src/access/grant-mapping.ts";
import { KeyDirectory } from "../../../src/access/key-directory.ts";
import { MappedCallers } from "../../../src/access/mapped-callers.ts";
import { Provider } from "../../../src/access/oidc/provider.ts";
import { SigningKeys } from "../../../src/access/oidc/signing-keys.ts";
import { TokenCallers } from "../../../src/access/oidc/token-callers.ts";
import { ProviderUnavailable } from "../../../src/domain/errors.ts";
import { systemClock } from "../../../src/kit/clock.ts";
import { mutated } from "../mutate.ts";
import { must, type Subject, textSubject, WrongInput } from "../subject.ts";
import { unshownLog } from "../../../dev/unshown-log.ts";

const parts = { clock: systemClock, log: unshownLog(), monotonicMs: () => performance.now() };
const issuer = "http://127.0.0.1:1";
const key = `gtp_first_${"a".repeat(43)}`;
const mapping = [
  { groups: ["readers", "other"], scopes: ["read"] },
  { subject: "alice", scopes: ["read", "operate"] },
  { certificate: "spiffe://a/b", scopes: ["read"], selector: { namespaces: ["ml"] } },
];

/** Those who say who someone is, or what someone may do. A mutated key or token is never valid. */
export function accessSubjects(): Subject[] {
  let opening: ReturnType<typeof openAccess> | undefined;
  const open = () => (opening ??= openAccess());
  return [
    {
      name: "mutated keys",
      run: async (random) => {
        const text = mutated(Buffer.from(key), random).toString();
        const { directory } = await open();
        if (text !== key && directory.authenticate(text) !== undefined) throw new WrongInput(text, "it is valid");
      },
    },
    {
      name: "mutated JSON Web Tokens",
      run: async (random) => {
        const { tokens, valid } = await open();
        const whole = valid[Math.floor(random() * valid.length)] ?? "";
        const text = mutatedToken(whole, random);
        if (!isSame(text, whole) && (await isValid(tokens, text))) throw new WrongInput(text, "it is valid");
      },
    },
    textSubject({
      name: "sets of JSON Web Keys",
      seeds: ['{"keys":[{"kty":"EC","crv":"P-256","x":"a","y":"b","kid":"1"},{"kty":"oct","k":"x"}]}'],
      refusals: [Error, SyntaxError],
      read: (text) => new SigningKeys().replace(JSON.parse(text)),
    }),
    textSubject({
      name: "AUTH_MAPPING_FILE",
      seeds: [JSON.stringify(mapping), mapping.map((entry) => JSON.stringify(entry)).join("\n")],
      read: (text) => {
        const granted = new GrantMapping(readMapping(text).entries).grantOf({ subject: "nobody", groups: [] });
        must(granted === undefined, "someone whom no entry names is granted something");
      },
    }),
  ];
}

async function openAccess() {
  const none = { file: undefined, store: undefined, maxAgeMs: 1000, needsKeys: false };
  const directory = new KeyDirectory({ ...parts, ...none, bootstrapKey: key });
  await directory.refresh();
  const pairs = await Promise.all(["ES256", "RS256", "EdDSA"].map((algorithm) => generateKeyPair(algorithm)));
  const provider = new Provider({ ...parts, issuer, client: undefined, keysFile: "none", ca: undefined });
  const published = pairs.map(async ({ publicKey }, at) => ({ ...(await exportJWK(publicKey)), kid: String(at) }));
  provider.keys.replace({ keys: await Promise.all(published) });
  // whatever the file says
  const file = new RereadFile(import.meta.path, { setting: "AUTH_MAPPING_FILE", noun: "entries" }, () =>
    readMapping(JSON.stringify(mapping)),
  );
  const callers = new MappedCallers({ ...parts, file });
  await callers.refresh();
  const tokens = new TokenCallers({ provider, callers, audience: "api", groupsClaim: "groups", clock: systemClock });
  const valid = await Promise.all(
    pairs.map(({ privateKey }, at) => signed(["ES256", "RS256", "EdDSA"][at] ?? "", at, privateKey)),
  );
  const accepted = await Promise.all(valid.map(async (text) => tokens.identify({ kind: "bearer", text })));
  must(
    accepted.every((caller) => caller !== undefined),
    "a token that is not mutated is not valid",
  );
  must(directory.authenticate(key) !== undefined, "a key that is not mutated is not valid");
  return { directory, tokens, valid };
}

/** @throws an error other than that the provider cannot be asked for another key: there is no provider */
async function isValid(tokens: TokenCallers, text: string): Promise<boolean> {
  try {
    return (await tokens.identify({ kind: "bearer", text })) !== undefined;
  } catch (error) {
    if (error instanceof ProviderUnavailable) return false;
    throw error;
  }
}

function signed(alg: string, at: number, privateKey: CryptoKey): Promise<string> {
  return new SignJWT({ groups: ["readers", "other"] })
    .setProtectedHeader({ alg, kid: String(at), typ: "JWT" })
    .setIssuer(issuer)
    .setAudience("api")
    .setSubject("alice")
    .setExpirationTime("10h")
    .sign(privateKey);
}

/** Changes a token, or what one of its parts encodes. */
function mutatedToken(token: string, random: () => number): string {
  if (random() < 0.3) return mutated(Buffer.from(token), random).toString();
  const partsOfToken = token.split(".");
  const at = Math.floor(random() * 3);
  partsOfToken[at] = mutated(Buffer.from(partsOfToken[at] ?? "", "base64url"), random).toString("base64url");
  return partsOfToken.join(".");
}

/** True if two tokens encode the same bytes: base64url can write some in several ways. */
function isSame(a: string, b: string): boolean {
  const bytesOf = (token: string) => token.split(".").map((part) => Buffer.from(part, "base64url").toString("hex"));
  return bytesOf(a).join(".") === bytesOf(b).join(".");
}
