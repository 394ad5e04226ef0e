import { Type } from "@sinclair/typebox";

/** How a setting is written in the environment, beside what TypeBox checks of its value. */
export interface EnvironmentNotes {
  readonly env: string;
  readonly description: string;
  /** `duration`: written `2s`, `500ms`, `5m`, `1h`; held in milliseconds. `roles`: `all` or a comma list. `list`: a
   *  comma list. */
  readonly form?: "duration" | "roles" | "list";
  readonly unit?: string;
  /** Hidden wherever the configuration is shown; `{env}_FILE` may name a file that holds it. */
  readonly secret?: boolean;
}

/** A time, written with its unit. */
export const duration = (notes: EnvironmentNotes & { default: number; minimum?: number; maximum?: number }) =>
  Type.Integer({ minimum: 0, maximum: 86_400_000, ...notes, form: "duration" });

/** A whole number. */
export const count = (notes: EnvironmentNotes & { default: number; minimum: number; maximum: number }) =>
  Type.Integer({ ...notes });

/** An age in days; absent or 0: nothing is deleted. */
export const retentionDays = (env: string, what: string) =>
  count({
    env,
    default: 0,
    minimum: 0,
    maximum: 36_500,
    unit: "days",
    description: `Age at which ${what} are deleted; 0: never`,
  });

/** A file; absent: none. */
export const path = (env: string, description: string) =>
  Type.Optional(Type.String({ env, minLength: 1, description }));
