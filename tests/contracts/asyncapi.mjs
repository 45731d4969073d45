// Holds a document against AsyncAPI 3.0; its faults are printed, and none may be an error.
import { Parser } from '@asyncapi/parser';
import { readFileSync } from 'node:fs';

const ERROR = 0;
const { document, diagnostics } = await new Parser().parse(readFileSync(process.argv[2], 'utf8'));
// That a newer version of the standard exists is no fault of the document.
const told = diagnostics.filter((one) => one.code !== 'asyncapi-latest-version');
for (const one of told) console.log(`${one.code} at ${one.path.join('/')}: ${one.message}`);
if (!document || told.some((one) => one.severity === ERROR)) {
    console.log('the AsyncAPI document is not valid');
    process.exit(1);
}
console.log(`AsyncAPI ${document.version()}: ${document.channels().length} channels are valid`);
