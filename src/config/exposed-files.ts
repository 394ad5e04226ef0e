import { exposureOf } from "../kit/private-files.ts";
import { secretFileNames } from "./parse-config.ts";

/** The settings of files, besides those of secrets, that have a private key, or say who may do what. */
const privateFiles = ["TLS_KEY_FILE", "ETCD_KEY_FILE", "DCGM_KEY_FILE", "AUTH_KEYS_FILE", "AUTH_MAPPING_FILE"] as const;

/** The files of these settings that other users of the machine may read or change, each as a sentence. */
export function exposedFiles(env: Readonly<Record<string, string | undefined>>): string[] {
  return [...privateFiles, ...secretFileNames()].flatMap((name) => {
    const path = env[name]?.trim();
    return path ? (exposureOf(name, path) ?? []) : [];
  });
}
