/** What the examples of the public API import can be had from mod.ts. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import * as mod from "../mod.ts";
import { permissionTest } from "./support/permissions.ts";

const LIB = fileURLToPath(new URL("../lib", import.meta.url));

/** A docstring and the value that it describes. */
const DESCRIBED =
  /\/\*\*((?:(?!\*\/)[^])*)\*\/\s*export (?:async |abstract )?(?:function\*?|class|const) (\w+)/g;
/** An import within a docstring. */
const IMPORT = /^ \* import (?!type)\{([^}]*)\} from "\.[^"]*";$/gm;

permissionTest(["read"], "what examples of exported names import is exported, too", () => {
  let found = 0;
  for (const file of readdirSync(LIB, { recursive: true, encoding: "utf8" })) {
    if (!file.endsWith(".ts")) continue;
    const text = readFileSync(`${LIB}/${file}`, "utf8");
    for (const [, docstring, name] of text.matchAll(DESCRIBED)) {
      if (!(name in mod)) continue;
      for (const [, names] of docstring.matchAll(IMPORT)) {
        for (const imported of names.split(",").map((word) => word.trim())) {
          found++;
          assert.ok(
            imported.startsWith("type ") || imported in mod,
            `the example of ${name} in lib/${file} imports ${imported}, which mod.ts does not export`,
          );
        }
      }
    }
  }
  assert.ok(found > 40, `only ${found} imports found`);
});
