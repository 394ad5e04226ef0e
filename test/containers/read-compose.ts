import { readFileSync } from "node:fs";
import { parse } from "yaml";

type Environment = Readonly<Record<string, string | undefined>>;

/** A service of a Compose file, as far as compose.yaml uses what a service can have. */
export interface ComposeService {
  readonly image: string;
  readonly build?: string | { readonly context: string; readonly args?: Readonly<Record<string, string>> };
  readonly user?: string;
  readonly entrypoint?: readonly string[];
  readonly command?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly profiles?: readonly string[];
  readonly restart?: string;
  readonly read_only?: boolean;
  readonly tmpfs?: readonly string[];
  readonly cap_drop?: readonly string[];
  readonly cap_add?: readonly string[];
  readonly security_opt?: readonly string[];
  readonly shm_size?: string;
  readonly stop_grace_period?: string;
  readonly network_mode?: string;
  readonly networks?: readonly string[];
  readonly ports?: readonly string[];
  readonly volumes?: readonly string[];
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
  readonly healthcheck?: { readonly test?: readonly string[]; readonly disable?: boolean };
  readonly deploy: {
    readonly replicas?: number;
    readonly resources: {
      readonly limits: { readonly cpus: string; readonly memory: string; readonly pids: number };
    };
  };
}

/** A Compose file. */
export interface ComposeFile {
  readonly services: Readonly<Record<string, ComposeService>>;
  readonly networks: Readonly<Record<string, { readonly internal?: boolean } | null>>;
  readonly volumes: Readonly<Record<string, null>>;
}

/** Reads a Compose file, with its variables replaced as Compose does it. */
export function readCompose(path: string, env: Environment = {}): ComposeFile {
  const text = readFileSync(path, "utf8");
  return replaced(parse(text, { merge: true }), env) as ComposeFile;
}

function replaced(value: unknown, env: Environment): unknown {
  if (typeof value === "string") return interpolate(value, env);
  if (Array.isArray(value)) return value.map((each) => replaced(each, env));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, replaced(each, env)]));
}

/** Replaces `${NAME}`, `${NAME:-default}` and `${NAME:+text}`, also within one another, and `$$`.
 *  @throws Error if a `$` is none of these
 *  Source: https://docs.docker.com/reference/compose-file/interpolation/ */
export function interpolate(text: string, env: Environment): string {
  const innermost = /\$\{(\w+)(?:(:[-+])([^${}]*))?\}/;
  let result = text.replaceAll("$$", "\0");
  for (let match = innermost.exec(result); match !== null; match = innermost.exec(result)) {
    const [whole, name = "", operator, alternative = ""] = match;
    const value = env[name] ?? "";
    const chosen = operator === ":-" ? value || alternative : operator === ":+" ? value && alternative : value;
    result = result.replace(whole, () => chosen);
  }
  if (result.includes("$")) throw new Error(`${text} has a $ that Compose would not accept`);
  return result.replaceAll("\0", "$");
}

/** Reads a file of variables, such as those of `docker compose --env-file`. */
export function readVariables(path: string): Record<string, string> {
  const lines = readFileSync(path, "utf8").split("\n");
  return Object.fromEntries(
    lines.flatMap((line) => {
      const [, name, value] = /^(\w+)=(.*)$/.exec(line) ?? [];
      return name === undefined ? [] : [[name, value ?? ""]];
    }),
  );
}
