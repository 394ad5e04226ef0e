import tseslint from "typescript-eslint";

const lines = (max) => ["error", { max, skipBlankLines: true, skipComments: true }];

/** Rules of style, among them: small files and functions, named exports, no `any`, no floating promises. */
const houseRules = {
  "@typescript-eslint/no-floating-promises": "error",
  "@typescript-eslint/no-explicit-any": "error",
  "@typescript-eslint/consistent-type-imports": ["error", { fixStyle: "inline-type-imports" }],
  "@typescript-eslint/switch-exhaustiveness-check": ["error", { considerDefaultExhaustiveForUnions: true }],
  "@typescript-eslint/max-params": ["error", { max: 3 }],
  "@typescript-eslint/restrict-template-expressions": [
    "error",
    { allowNumber: true, allowBoolean: true, allowRegExp: true },
  ],
  "no-restricted-exports": ["error", { restrictDefaultExports: { direct: true, named: true, defaultFrom: true } }],
  "max-lines": lines(300),
  "max-lines-per-function": lines(40),
  eqeqeq: "error",
  "no-control-regex": "error",
  "no-console": "error",
};

/** Tests and benches may have longer files, longer functions and more parameters than the product, and may use the console. The
 *  type rules that are off would report correct uses of bun's matchers. */
const testRules = {
  "max-lines": lines(500),
  "max-lines-per-function": "off",
  "@typescript-eslint/unbound-method": "off",
  "@typescript-eslint/await-thenable": "off",
  "@typescript-eslint/require-await": "off",
  "@typescript-eslint/max-params": "off",
  "@typescript-eslint/no-unsafe-argument": "off",
  "no-console": "off",
  // bun declares these matchers as void, so no-floating-promises does not see the promise
  "no-restricted-syntax": [
    "error",
    ...["", " > MemberExpression"].map((not) => ({
      selector: `ExpressionStatement > CallExpression > MemberExpression${not} > MemberExpression[property.name=/^(rejects|resolves)$/]`,
      message: "Await this expectation: without await, the test passes whatever the promise does",
    })),
  ],
};

// eslint-disable-next-line no-restricted-exports -- eslint reads the default export
export default tseslint.config(
  { ignores: ["node_modules/", "data/", "coverage/", "drizzle/", "clients/*/dist/", "clients/*/src/generated/"] },
  { linterOptions: { reportUnusedDisableDirectives: "error" } },
  { files: ["**/*.{js,cjs}"], rules: { "no-restricted-exports": houseRules["no-restricted-exports"] } },
  {
    files: ["**/*.{ts,tsx}"],
    extends: [tseslint.configs.recommendedTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: houseRules,
  },
  { files: ["src/domain/metrics.ts"], rules: { "max-lines": "off" } },
  { files: ["test/**/*.ts", "bench/**/*.ts"], rules: testRules },
);
