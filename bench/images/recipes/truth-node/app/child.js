process.send(typeof require('xmldom').DOMParser, () => process.exit(0));
