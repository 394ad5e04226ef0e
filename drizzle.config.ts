import type { Config } from "drizzle-kit";

// oxlint-disable-next-line no-restricted-exports -- drizzle-kit reads the default export
export default { dialect: "postgresql", schema: "./src/db/schema.ts", out: "./drizzle" } satisfies Config;
