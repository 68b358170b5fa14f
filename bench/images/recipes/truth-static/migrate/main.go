// In the image, and nothing in the image runs it.
package main

import (
	"fmt"

	"github.com/dgrijalva/jwt-go"
)

func main() {
	fmt.Println(jwt.New(jwt.SigningMethodHS256).SignedString([]byte("key")))
}
