#!/bin/sh
# Lives for milliseconds: whoever looks at the living processes only, never sees perl.
exec perl -MPOSIX=strftime -e 'print STDERR strftime("job at %T\n", gmtime)'
