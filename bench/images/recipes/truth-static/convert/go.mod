module example.org/convert

go 1.21.13

require gopkg.in/yaml.v2 v2.2.2
