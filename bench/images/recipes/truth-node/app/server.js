'use strict';
// Ground truth by construction: each route loads one more package, in one way.
// ../test.sh takes some of the routes and ../all.sh takes every one; what neither can
// make the application load is never loaded. /debug/cache is for the check alone.
const { execFileSync, fork } = require('child_process');
const fs = require('fs');
const path = require('path');
const { Worker } = require('worker_threads');
const express = require('express');
const _ = require('lodash');
const minimist = require('minimist'); // 1.2.5; mkdirp has an older copy of its own

const BY_NAME = { yaml: 'js-yaml', time: 'moment' };
const modules = path.join(__dirname, 'node_modules');

// Read, but not run: an installed version and a data file of a package.
const version = JSON.parse(fs.readFileSync(path.join(modules, 'ini/package.json'))).version;
const licenses = JSON.parse(fs.readFileSync(path.join(modules, 'spdx-license-ids/index.json')));

const app = express();
app.set('views', path.join(__dirname, 'views'));
const route = (name, answer) =>
  app.get(name, (request, response, next) =>
    Promise.resolve().then(() => answer(request)).then((x) => response.send(String(x)), next));

route('/', () => _.join([version, licenses.length, minimist([])._.length], ' '));
route('/markdown', () => require('marked')('*a*')); // driven
route('/id', async () => (await import('nanoid')).nanoid()); // driven: an ES module
route('/convert/:name', (request) => typeof require(BY_NAME[request.params.name])); // driven: yaml
route('/worker', () => run(new Worker(path.join(__dirname, 'worker.js')))); // driven
route('/query', () => execFileSync('jq', ['.a'], { input: '{"a": 1}' })); // driven
route('/template', () => require('handlebars').compile('{{a}}')({ a: 1 })); // not driven
app.get('/page', (request, response) => response.render('page.ejs')); // not driven: the engine by its file's suffix
route('/fetch', () => typeof require('node-fetch')); // not driven
route('/plugin', () => typeof require(fs.readFileSync(path.join(__dirname, 'plugin.conf'), 'utf8').trim()));
route('/child', () => run(fork(path.join(__dirname, 'child.js')))); // not driven
route('/debug/cache', () => JSON.stringify(Object.keys(require.cache)));

function run(child) {
  return new Promise((resolve, reject) => child.once('message', resolve).once('error', reject));
}

app.listen(8080);
process.on('SIGTERM', () => process.exit(0));
