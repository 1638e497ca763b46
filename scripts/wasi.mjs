// Runs a WebAssembly program under node's WASI: `node wasi.mjs PROGRAM [ARGUMENT...]`. Cargo's runner for wasm32-wasip1.
//
// The program sees the files and variables that a native one would see, under the same names. A trap (a panic, there)
// ends it with 134, as an abort does natively.
import { readFile } from "node:fs/promises";
import { WASI } from "node:wasi";

const [program, ...rest] = process.argv.slice(2);
const wasi = new WASI({
  version: "preview1",
  args: [program, ...rest],
  env: process.env,
  preopens: { "/": "/" },
  returnOnExit: true,
});
const { instance } = await WebAssembly.instantiate(await readFile(program), wasi.getImportObject());
try {
  process.exitCode = wasi.start(instance);
} catch (error) {
  if (!(error instanceof WebAssembly.RuntimeError)) throw error;
  console.error(`${program}: ${error.message}`);
  process.exitCode = 134;
}
