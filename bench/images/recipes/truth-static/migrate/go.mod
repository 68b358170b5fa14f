module example.org/migrate

go 1.21.13

require github.com/dgrijalva/jwt-go v3.2.0+incompatible
